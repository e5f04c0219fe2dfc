"""`vibench regress`: is this version of a method slower, hungrier or worse than another one, measured in turns."""
