"""One file per fault: what clients were promised, what they received, and how long it took them to recover."""
