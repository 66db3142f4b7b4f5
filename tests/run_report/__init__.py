"""The report of a test run: what it noted, as one page of HTML that needs nothing else.

The plugin collects, `records` reads, `graphs` and `charts` say what is to be drawn, `drawing` draws, `page` puts together.
"""
