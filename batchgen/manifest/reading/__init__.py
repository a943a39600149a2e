"""Job text -> plain values, each with its place: YAML, data files, units, the shape, the words for what is wrong."""
