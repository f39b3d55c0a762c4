"""Pure decisions: what is and what is wanted in, a plan or a refusal out."""
