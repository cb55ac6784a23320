package main

import "regexp"

// packageNames are names of our packages as they stand before the text of an error. They help
// who reads the code, and say nothing to a user.
var packageNames = regexp.MustCompile(`(^|: )(?:(?:` +
	`analysis|atomicfile|batch|classify|column|compare|dense|diffusion|event|export|factor|features|find|flows|formula|gauss|` +
	`job|nn|optim|reweight|rntuple|rootio|safetensors|spline|step|surrogate|task|training|vmath|yamlfile` +
	`): )+`)

// plain returns the text of an error, or a line about one, as a user reads it.
func plain(text string) string { return packageNames.ReplaceAllString(text, "$1") }
