"""Other programs that have some of our models: what each is given, and what it is asked."""
