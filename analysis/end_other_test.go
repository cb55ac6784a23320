//go:build !unix

package analysis_test

const asked = "EIDOLON_TEST_JOB"

func aJob(string) int { return 2 }
