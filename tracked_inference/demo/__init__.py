"""The demo: five features of three teams call a vendor on this machine through the real SDKs, and every dollar shows."""
