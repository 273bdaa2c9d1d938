"""The card of a container: all that its person needs to come in and to work, and nothing else.

Facts and a language make a document, and that a text for a terminal, Markdown or a page.
"""
