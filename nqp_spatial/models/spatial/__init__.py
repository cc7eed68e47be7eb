"""The spatial family: static, dynamic and instrumented."""
