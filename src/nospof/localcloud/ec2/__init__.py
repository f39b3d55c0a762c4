"""EC2 made real: moto's models and answers, with machines, disks and hosts behind them."""
