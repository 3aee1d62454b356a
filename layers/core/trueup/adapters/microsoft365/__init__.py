"""Microsoft 365: reads, tenant by tenant, who has which license. It writes nothing."""
