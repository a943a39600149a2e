"""Job text -> Manifest -> the n-th Task. Pure: whoever calls reads the files that a job names."""
