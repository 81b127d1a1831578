"""Words: data sets and the standard's facts. Reads the bytes it is given, opens nothing, knows no protocol."""
