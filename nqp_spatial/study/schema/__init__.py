"""What a study file may say: one module of pydantic models for each of its keys."""
