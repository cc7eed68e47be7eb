"""The two job-training samples of LaLonde (1986), as tables that the tests read.

matching_data.csv   185 treated men of the NSW programme and 429 men of the PSID, the sample that
                    MatchIt is documented with: lalonde_matchit.csv of StatsPAI 1.40.2 (MIT licence)
matching_nsw.csv    the experiment, 185 treated men and 260 controls (Dehejia and Wahba 1999), which
                    Stata users know as ldw_exper.dta: nsw_mixtape of causaldata 0.1.5 (MIT licence)

    pip install statspai==1.40.2 causaldata==0.1.5; python tests/reference/matching_data.py
"""

from pathlib import Path

import pandas as pd

HERE = Path(__file__).parent


def psid() -> pd.DataFrame:
    import statspai

    raw = pd.read_csv(Path(statspai.__file__).parent / "datasets/data/lalonde_matchit.csv")
    raw = raw.rename(columns={"hispanic": "hispan"})
    columns = ["treat", "age", "educ", "black", "hispan", "married", "nodegree"]
    return raw[[*columns, "re74", "re75", "re78"]]


def experiment() -> pd.DataFrame:
    from causaldata import nsw_mixtape

    raw = nsw_mixtape.load_pandas().data
    columns = ["treat", "age", "educ", "black", "hisp", "marr", "nodegree"]
    raw = raw.astype(dict.fromkeys(columns, int))
    return raw[[*columns, "re74", "re75", "re78"]].rename(columns={"marr": "married"})


if __name__ == "__main__":
    psid().to_csv(HERE / "matching_data.csv", index=False)
    experiment().to_csv(HERE / "matching_nsw.csv", index=False)
