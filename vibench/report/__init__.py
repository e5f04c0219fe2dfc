"""What is written from finished runs: the report and its pages, tables, figures, videos, papers' tables."""
