package main

import (
	"reflect"
	"sync"

	"go-hep.org/x/hep/fads"
	"go-hep.org/x/hep/fmom"
	"go-hep.org/x/hep/fwk"
	"go-hep.org/x/hep/hbook"
)

var (
	number = reflect.TypeFor[float32]()
	list   = reflect.TypeFor[[]fads.Candidate]()
)

// candidates puts the muon as fads wants it.
type candidates struct{ fwk.TaskBase }

// Configure declares the ports.
func (t *candidates) Configure(fwk.Context) error {
	for _, port := range []string{"mu1_pt", "mu1_eta", "mu1_phi"} {
		if err := t.DeclInPort(port, number); err != nil {
			return err
		}
	}
	return t.DeclOutPort("muons", list)
}

func (t *candidates) StartTask(fwk.Context) error { return nil }
func (t *candidates) StopTask(fwk.Context) error  { return nil }

// Process is called for each event.
func (t *candidates) Process(ctx fwk.Context) error {
	var x [3]float64
	for i, port := range []string{"mu1_pt", "mu1_eta", "mu1_phi"} {
		v, err := ctx.Store().Get(port)
		if err != nil {
			return err
		}
		x[i] = float64(v.(float32))
	}
	p4 := fmom.NewPtEtaPhiM(x[0], x[1], x[2], 0.10566)
	var muon fads.Candidate
	muon.Mom.Set(&p4)
	muon.Pos.Set(&p4)
	return ctx.Store().Put("muons", []fads.Candidate{muon})
}

// response is a histogram of measured over true momentum.
type response struct {
	name string
	h    *hbook.H1D
}

// tails returns the fraction of muons that are measured wrong by more than 15 %.
func (r *response) tails() float64 {
	return 1 - r.h.Integral(0.85, 1.15)/r.h.Integral()
}

// analyser compares the three measurements.
type analyser struct {
	fwk.TaskBase
	mu        sync.Mutex
	responses [3]*response
}

// Configure declares the ports.
func (t *analyser) Configure(fwk.Context) error {
	for i, name := range []string{"full simulation", "surrogate", "fads, parametric"} {
		t.responses[i] = &response{name, hbook.NewH1D(100, 0.5, 1.5)}
	}
	for _, port := range []string{"mu1_pt", "response", "fast_response"} {
		if err := t.DeclInPort(port, number); err != nil {
			return err
		}
	}
	return t.DeclInPort("smeared", list)
}

func (t *analyser) StartTask(fwk.Context) error { return nil }
func (t *analyser) StopTask(fwk.Context) error  { return nil }

// Process is called for each event.
func (t *analyser) Process(ctx fwk.Context) error {
	var x [3]float64
	for i, port := range []string{"response", "fast_response", "mu1_pt"} {
		v, err := ctx.Store().Get(port)
		if err != nil {
			return err
		}
		x[i] = float64(v.(float32))
	}
	v, err := ctx.Store().Get("smeared")
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.responses[0].h.Fill(x[0], 1)
	t.responses[1].h.Fill(x[1], 1)
	for _, muon := range v.([]fads.Candidate) {
		t.responses[2].h.Fill(muon.Mom.Pt()/x[2], 1)
	}
	return nil
}
