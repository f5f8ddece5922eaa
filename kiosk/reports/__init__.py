"""The day as people hand it on: a table, a spreadsheet, and what is overdue. Figures only, and no names."""
