"""tagtray: from drop folders to labels and tags in SQL."""
