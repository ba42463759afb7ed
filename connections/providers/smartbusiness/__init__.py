"""SmartBusiness (Switzerland)."""
