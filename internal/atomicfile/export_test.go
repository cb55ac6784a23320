package atomicfile

// CloseFile closes the file below f, so that the next Write fails.
func CloseFile(f *File) { _ = f.file.Close() }
