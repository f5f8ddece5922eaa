"""TSPL, the language of most desktop label printers sold in China."""
