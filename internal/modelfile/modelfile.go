// Package modelfile reads and writes the files of what was trained: a safetensors file of the
// parameters, with everything else as JSON, in the metadata under a key that tells what kind of file it is.
package modelfile

import (
	"errors"
	"fmt"
	"os"

	"github.com/eidolon-hep/eidolon/internal/atomicfile"
	"github.com/eidolon-hep/eidolon/internal/safetensors"
	"github.com/eidolon-hep/eidolon/training"
)

// The keys of the kinds of files.
const (
	Model      = "eidolon"
	Checkpoint = "eidolon checkpoint"
	Ratio      = "eidolon ratio"
)

// What is wrong with a file that could not be read.
var (
	// ErrKind says that a file is none of the kind that was asked for.
	ErrKind = errors.New("not such a file")
	// ErrVersion says that another version of Eidolon wrote the file.
	ErrVersion = errors.New("another version of Eidolon wrote it")
	// ErrDamaged says that a file contradicts itself.
	ErrDamaged = errors.New("the file is damaged")
)

// Damaged returns the error of a file in which something is wrong.
func Damaged(err error) error { return fmt.Errorf("%w: %w", ErrDamaged, err) }

// Write writes a file of the kind key. It appears under its name when it is complete.
func Write(file string, tensors []training.Tensor, key, text string) error {
	f, err := atomicfile.Create(file)
	if err != nil {
		return fmt.Errorf("could not save %q: %w", file, err)
	}
	defer f.Abort()
	all := make([]safetensors.Tensor, len(tensors))
	for i, t := range tensors {
		all[i] = safetensors.Tensor(t)
	}
	if err := safetensors.Write(f, all, map[string]string{key: text}); err != nil {
		return fmt.Errorf("could not save %q: %w", file, err)
	}
	return f.Close()
}

// Read reads a file of the kind key. Sizes in it are checked before memory is asked for. The error wraps
// [ErrKind] when the file is something else.
func Read(file, key string) ([]training.Tensor, string, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, "", err
	}
	tensors, texts, err := safetensors.Read(f, info.Size())
	if errors.Is(err, safetensors.ErrFormat) {
		return nil, "", ErrKind
	}
	if err != nil {
		return nil, "", Damaged(err)
	}
	text, ok := texts[key]
	if !ok {
		return nil, "", ErrKind
	}
	all := make([]training.Tensor, len(tensors))
	for i, t := range tensors {
		all[i] = training.Tensor(t)
	}
	return all, text, nil
}

// Text returns what a file of the kind key says beside its parameters, "" for any other file.
func Text(file, key string) string {
	f, err := os.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return ""
	}
	texts, err := safetensors.Metadata(f, info.Size())
	if err != nil {
		return ""
	}
	return texts[key]
}

// Is returns a function that reports whether a file is of the kind key.
func Is(key string) func(file string) bool {
	return func(file string) bool { return Text(file, key) != "" }
}
