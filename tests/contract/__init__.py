"""What every provider must do, tried with each of them at its simulator."""
