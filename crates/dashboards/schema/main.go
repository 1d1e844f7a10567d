// Reads dashboards by the schema of the Grafana Foundation SDK, strictly: a field that it does not know, that is
// missing, or that has the wrong type is told, and ends the program with 1. Run by `make check-dashboards`.
package main

import (
	"errors"
	"fmt"
	"os"

	"github.com/grafana/grafana-foundation-sdk/go/cog"
	"github.com/grafana/grafana-foundation-sdk/go/cog/plugins"
	"github.com/grafana/grafana-foundation-sdk/go/dashboard"
)

func check(path string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	var read dashboard.Dashboard
	// It returns a list that is no nil, even if it is empty.
	var found cog.BuildErrors
	if err := read.UnmarshalJSONStrict(text); err != nil && (!errors.As(err, &found) || len(found) > 0) {
		return err
	}
	return read.Validate()
}

func main() {
	plugins.RegisterDefaultPlugins()
	status := 0
	for _, path := range os.Args[1:] {
		if err := check(path); err != nil {
			fmt.Printf("%s: %v\n", path, err)
			status = 1
		}
	}
	os.Exit(status)
}
