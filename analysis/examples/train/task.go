package main

import (
	"reflect"

	"go-hep.org/x/hep/fwk"
)

// difference is a task of the analysis: it puts the difference of the pseudorapidities of
// the two muons.
type difference struct{ fwk.TaskBase }

// Configure declares the ports.
func (t *difference) Configure(fwk.Context) error {
	for _, port := range []string{"mu1_eta", "mu2_eta"} {
		if err := t.DeclInPort(port, reflect.TypeFor[float32]()); err != nil {
			return err
		}
	}
	return t.DeclOutPort("deta", reflect.TypeFor[float32]())
}

func (t *difference) StartTask(fwk.Context) error { return nil }
func (t *difference) StopTask(fwk.Context) error  { return nil }

// Process is called for each event.
func (t *difference) Process(ctx fwk.Context) error {
	eta1, err := ctx.Store().Get("mu1_eta")
	if err != nil {
		return err
	}
	eta2, err := ctx.Store().Get("mu2_eta")
	if err != nil {
		return err
	}
	return ctx.Store().Put("deta", eta1.(float32)-eta2.(float32))
}
