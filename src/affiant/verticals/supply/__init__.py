"""Supply chain: demand forecasts and orders that an agent places under oath."""
