"""What runs leave behind: records in a store, and the tables, comparisons and statistics that are made from them."""
