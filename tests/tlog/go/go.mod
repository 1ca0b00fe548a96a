module interop

go 1.25.0

// Older ones do not check every tile against the tile above it: the negative control in test_go.py sees that.
require golang.org/x/mod v0.40.0
