package rootio

import (
	"fmt"
	"strings"
)

// guard turns a panic of groot into an error, in one line:
//
//	defer guard(&err)
func guard(err *error) {
	if r := recover(); r != nil {
		*err = panicError(r)
	}
}

func panicError(r any) error {
	if e, ok := r.(error); ok {
		return fmt.Errorf("groot cannot decode it: %w", e)
	}
	text, _, _ := strings.Cut(fmt.Sprint(r), "\n")
	return fmt.Errorf("groot cannot decode it: %s", text)
}
