"""What a release carries and serving runs: policy, ratios, categories, rules, classes."""
