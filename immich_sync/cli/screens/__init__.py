"""What people see: one module for each result that is more than a sentence."""
