"""What was done in a system of record, held against what runs say they did."""
