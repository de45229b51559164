"""HTTP as the functions speak it: requests in, answers and problems out."""
