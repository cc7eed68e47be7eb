"""The panel of a study: tables read and joined, new columns, outcome and policy."""
