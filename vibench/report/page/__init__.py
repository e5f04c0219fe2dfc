"""The pages of a report, the pictures in them and the templates that they fill."""
