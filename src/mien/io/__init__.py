"""Reading and writing of photos and videos."""
