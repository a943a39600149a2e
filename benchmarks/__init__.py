"""What batchgen promises about speed, measured on the spot: `make bench`, or `make bench PART=plan`."""
