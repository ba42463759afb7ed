"""SmartBusiness's simulator, judged by what its documents say."""
