"""ln|I - rho W|, its derivatives and the admissible interval of rho."""
