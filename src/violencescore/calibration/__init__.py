"""Is the method right?"""
