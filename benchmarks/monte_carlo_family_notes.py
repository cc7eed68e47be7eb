"""What the page of monte_carlo_family says in words."""

BEFORE = (
    "# Bias, coverage and test sizes of the spatial family",
    "",
    "Every cell simulates panels of a known truth and fits them: SAR, SLX, SEM, SDM, SDEM, SAC and "
    "GNS, with a continuous regressor x and a policy dummy d that three tenths of the entities get "
    "at different times; 49 entities on a queen lattice or 277 cities; rho (lambda in SEM and "
    "SDEM) along the columns, and lambda = 0.3 beside it in SAC and GNS. "
    "`benchmarks/monte_carlo_family_fits.py` states the truth. Two-way effects by the "
    "transformation of Lee and Yu unless a heading says otherwise. All figures, with the number of "
    "replications of each, are in [monte_carlo_family.csv](monte_carlo_family.csv); covariances "
    "that are not made for the errors in [monte_carlo_covariance.md](monte_carlo_covariance.md); "
    "the Hausman test in [monte_carlo_hausman.md](monte_carlo_hausman.md).",
    "",
    "To run it again, as a whole or for some cells (a regular expression of their names, which "
    "`--list` prints):",
    "",
    "```",
    "OMP_NUM_THREADS=1 python benchmarks/monte_carlo_family.py --out DIR --jobs 2",
    "OMP_NUM_THREADS=1 python benchmarks/monte_carlo_family.py --out DIR --cells '^SDM_normal'",
    "OMP_NUM_THREADS=1 python benchmarks/monte_carlo_family.py --out DIR --table",
    "```",
    "",
    "Each cell is one file in DIR, drawn from a seed of its own, so that neither the order nor the "
    "number of jobs changes a number. Cells that are there are kept, which makes the run one that "
    "can be stopped and gone on with; the tables have the cells that were there when they were "
    "written. The first replication of each cell is also run through the public classes and has to "
    "agree.",
    "",
    "A cell of the tables has the coverage of nominal 95% intervals that is furthest from 0.95 "
    "among all coefficients and effects, whose it is, and in brackets mean standard error over "
    "standard deviation; then the largest bias in standard deviations. Coverage outside 0.93 to "
    "0.97 is **bold**, with an asterisk where it is more than two simulation errors outside: the "
    "error is 0.007 with 1,000 replications, 0.010 with 500, and the furthest of a dozen "
    "quantities is some two errors away by chance alone.",
    "",
    "## What is outside, and why",
    "",
    "With 277 cities the median coverage is 0.946 to 0.952 in every row of the next table; what is "
    "outside there is GNS, of the first three kinds below, or chance: two of the lowest were "
    "drawn again (SDM by-entity, 277 x 5, total effect of x, 0.910: 0.946 of 1,500 panels; LM "
    "error, time effects, 277 x 5, 0.034: 0.050 of 4,000). With 49 entities it is what these "
    "methods do in small panels.",
    "",
    "- **Effects near a unit root.** At rho = 0.8 with 49 entities and 5 periods the indirect and "
    "the total effect of x cover 0.88 to 0.93 in SAR and SDM: 1 / (1 - rho) is skewed to the "
    "right, so that a symmetric interval misses large effects (0.10 of the time; small ones 0.00). "
    "Intervals from simulated parameters, `effects(method=\"simulation\")`, cover 0.94 there "
    "(normal errors, 800 panels each).",
    "- **Indirect effects in SAR at rho = 0** cover 0.97 to 0.995 where the coefficient is weak "
    "(d): an effect that is a product of two estimates near zero is far from normal. Simulation "
    "gives 0.99. At other rho the same product covers 0.90 to 0.94 under clustered errors and 49 "
    "entities.",
    "- **Variances that follow x.** With 5 periods the `robust` standard errors of x and of its "
    "direct effect are 2 to 13% short for 49 entities (coverage 0.91 to 0.94) and 2 to 9% for 277 "
    "(0.91 to 0.96): with entity effects they are short by a share of order 1 / T (Stock and "
    "Watson 2008). Clusters of entities have no such bias (0.92 to 0.95 and 0.92 to 0.97) and are "
    "what to use with few periods.",
    "- **Clusters of 49 entities** cover coefficients 0.92 to 0.96; under clustered errors four "
    "fifths of them are in 0.93 to 0.97, where normal intervals without the count of coefficients "
    "had three fifths. What remains: for d it is the treated that count, and there are 15.",
    "- **Variances that differ between entities** and have nothing to do with W leave "
    "`robust` at 0.93 to 0.96 for coefficients with 49 entities. Where they go along with the "
    "number of neighbours, rho itself is biased (monte_carlo_covariance.md).",
    "- **rho at 0.8 with 49 entities and 5 periods** is 0.1 to 0.5 standard deviations too small, "
    "as maximum likelihood is in small samples and under all effects; 0.1 to 0.3 with 12 periods, "
    "at most 0.2 with 277 cities. Intervals of rho cover nevertheless (0.93 to 0.97).",
    "- **SAC** with 49 entities and 5 periods: rho and lambda are told apart by the regressors "
    "alone, and cover 0.87 to 0.94, indirect effects 0.81 to 0.93 (0.98 to 0.995 for d at rho = "
    "0), totals 0.83 to 0.98; with 12 periods 0.87 to 0.97, 0.885 to 0.995 and 0.88 to 0.97. With "
    "277 cities medians are 0.94 to 0.96. No estimate was at a bound.",
    "- **GNS** cannot tell rho from lambda: both, and W_x, cover 0.59 to 0.98, with 277 cities as "
    "with 49 entities, worst at rho = -0.3 (median 0.70). There, with lambda = 0.3, 49 entities "
    "and 12 periods, the two are exchanged in 41% of 250 panels; in the others they cover 0.94 "
    "and 0.89. Direct effects cover 0.87 to 1.00 (median 0.94), totals 0.81 to 0.985 (0.95). "
    "Fits whose likelihood has a second peak nearly as high warn of it (`IdentificationWarning`); "
    "the next table is made with normal errors and 400 panels each.",
    "- Cells of SAC and GNS other than with normal errors have 200 replications (49 entities) or "
    "100 (277): one simulation error is 0.015 or 0.022, and the furthest of a dozen is often "
    "two.",
    "- **The variance of random effects** (phi) covers 0.90 to 0.93 with 49 entities: the estimate "
    "of a variance from 49 means is skewed.",
    "- **Without correction** (\"none\") rho is short by 0.3 to 0.5 standard deviations with 277 "
    "cities and 12 years (coverage 0.90 to 0.93), by 0.6 to 1.1 with 49 entities and 5 periods "
    "(0.72 to 0.85).",
    "",
    "GNS: share of fits that warn of another peak, and coverage of rho and lambda in those that "
    "do and those that do not (`benchmarks/monte_carlo_peaks.py`):",
    "",
    "| N | T | rho | warned | rho, lambda if warned | if not |",
    "| --- | --- | --- | --- | --- | --- |",
    "| 49 | 12 | -0.3 | 0.46 | 0.47 0.52 | 0.91 0.93 |",
    "| 49 | 12 | 0 | 0.16 | 0.42 0.37 | 0.87 0.89 |",
    "| 49 | 12 | 0.4 | 0.04 | 0.33 0.60 | 0.87 0.85 |",
    "| 49 | 12 | 0.8 | 0.01 | few | 0.93 0.92 |",
    "| 277 | 5 | -0.3 | 0.54 | 0.56 0.57 | 0.79 0.80 |",
    "",
    "Remedies on the same panels, coverage of x, d, W_x, W_d (SLX; 1,500 panels of 49 entities, "
    "error 0.006), with covariances of entity clusters unless named:",
    "",
    "| | by-x, T = 5 | by-entity, T = 12 | clustered, T = 5 |",
    "| --- | --- | --- | --- |",
    "| robust | 0.923 0.953 0.939 0.955 | 0.949 0.947 0.947 0.943 | 0.895 0.895 0.895 0.904 |",
    "| robust, Stock-Watson | 0.930 0.950 0.935 0.954 | 0.948 0.947 0.947 0.942 "
    "| 0.895 0.896 0.895 0.905 |",
    "| robust, HC3 | 0.950 0.977 0.973 0.984 | 0.959 0.963 0.957 0.958 | 0.937 0.946 0.943 0.948 |",
    "| clusters, factor without k, normal | 0.929 0.939 0.936 0.947 | 0.936 0.926 0.933 0.933 "
    "| 0.925 0.933 0.920 0.937 |",
    "| t(48) | 0.935 0.945 0.944 0.954 | 0.940 0.934 0.935 0.939 | 0.931 0.939 0.930 0.943 |",
    "| **t(48), factor (n - 1) / (n - k), as reported** "
    "| 0.938 0.949 0.945 0.959 | 0.941 0.937 0.939 0.941 "
    "| 0.936 0.940 0.932 0.944 |",
    "| t(48), CR2 | 0.938 0.949 0.947 0.960 | 0.940 0.939 0.939 0.943 | 0.937 0.941 0.936 0.947 |",
    "| t(48), CR3 (jackknife) | 0.946 0.956 0.953 0.965 | 0.941 0.949 0.947 0.948 "
    "| 0.945 0.947 0.946 0.953 |",
    "",
    "Tests:",
    "",
    "- LM tests with `correction=\"lee-yu\"`, and Wald and likelihood ratio tests with normal "
    "errors, have their size, but for Wald tests within SAC and GNS (0.06 to 0.16 with 49 "
    "entities): use likelihood ratios there (0.05 to 0.06). LM tests with \"none\", the form of "
    "other programs, do not after fixed effects: up to 0.13.",
    "- Moran's I period by period has its size after any effects. Pooled over periods "
    "(`moran_residuals`) it rejects 0.06 to 0.12 after fixed effects, whose residuals sum to zero "
    "in each period or entity, and never after SAR or SDM (0 of 600; the standard deviation of z "
    "is 0.34), since rho was chosen to leave none. LM tests are the ones to read.",
    "- Pesaran's CD after period effects is a constant, -sqrt(T / 2) or nearly so, and says "
    "nothing: it rejects never at T = 5 and always at T = 12.",
    "- The likelihood ratio ignores serial correlation (0.11 at T = 5, 0.21 to 0.23 at T = 12). "
    "The Wald test, which is F, rejects 0.064 and 0.066 with 49 clusters (chi-squared without the "
    "count of coefficients 0.08), 0.055 and 0.071 with 277.",
)  # fmt: skip
AFTER_SIZES = ("",)
