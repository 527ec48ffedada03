"""The price table, its rules and the engine that applies them: pure, exact, explained."""
