"""How another release takes over: follow the pointer, try a candidate, judge it, go back."""
