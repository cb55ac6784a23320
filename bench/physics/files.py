"""What the columns of files are that are known by their names, and quantities of vectors."""

import re
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

MUON, KAON = 0.1056583755, 493.677  # GeV, MeV
turn = lambda phi: (phi + np.pi) % (2 * np.pi) - np.pi


class Vector:
    """A four-vector, or with the mass "-" a transverse one, which has no η: of pt, eta, phi or px, py, pz."""

    def __init__(self, px, py, pz, e, transverse=False):
        self.px, self.py, self.pz, self.e, self.transverse = px, py, pz, e, transverse
        self.pt, self.phi = np.hypot(px, py), np.arctan2(py, px)

    @staticmethod
    def of(columns, a, b, c, mass):
        """Takes the columns a, b, c for px, py, pz if the first name says so, otherwise for pt, eta, phi."""
        if mass == "-":
            pt, phi = columns[a], columns[c]
            return Vector(pt * np.cos(phi), pt * np.sin(phi), 0 * pt, pt, True)
        px, py, pz = (columns[n] for n in (a, b, c))
        if not re.search("p_?x", a, re.IGNORECASE):
            pt, eta, phi = px, py, pz
            px, py, pz = pt * np.cos(phi), pt * np.sin(phi), pt * np.sinh(eta)
        m = columns[mass] if mass in columns else float(mass)
        return Vector(px, py, pz, np.sqrt(px * px + py * py + pz * pz + m * m))

    def __add__(self, o):
        return Vector(self.px + o.px, self.py + o.py, self.pz + o.pz, self.e + o.e, self.transverse or o.transverse)

    @property
    def m(self):
        return np.sqrt(np.maximum(0, self.e**2 - self.px**2 - self.py**2 - self.pz**2))

    @property
    def eta(self):
        return np.arcsinh(self.pz / np.maximum(self.pt, 1e-9))

    @property
    def y(self):
        return np.arctanh(np.clip(self.pz / self.e, -1 + 1e-12, 1 - 1e-12))


class Vectors:
    """Vectors by name, from columns, and what is derived from them. Where one is missing, all that follows is −999."""

    def __init__(self, columns, rows):
        self.vectors, self.missing = {}, {}
        for name, (a, b, c, mass) in rows.items():
            self.vectors[name] = Vector.of(columns, a, b, c, mass)
            self.missing[name] = columns[a] == -999

    def quantities(self):
        """Returns columns by name: components, masses, sums and differences of pairs, masses of triples."""
        out = {}

        def put(name, of, x):
            gone = np.logical_or.reduce([self.missing[v] for v in of])
            out[name] = np.where(gone, -999.0, x)

        for n, v in self.vectors.items():
            for c in ("px", "py") if v.transverse else ("px", "py", "pz", "e"):
                put(f"{c}({n})", [n], getattr(v, c))
            put(f"pt({n})", [n], v.pt)
        for a, b in combinations(self.vectors, 2):
            u, v = self.vectors[a], self.vectors[b]
            s, d = u + v, turn(u.phi - v.phi)
            put(f"dphi({a},{b})", [a, b], np.abs(d))
            put(f"pt({a}+{b})", [a, b], s.pt)
            if s.transverse:
                put(f"mt({a},{b})", [a, b], np.sqrt(np.maximum(0, 2 * u.pt * v.pt * (1 - np.cos(d)))))
                continue
            put(f"m({a}+{b})", [a, b], s.m)
            put(f"deta({a},{b})", [a, b], u.eta - v.eta)
            put(f"dr({a},{b})", [a, b], np.hypot(u.eta - v.eta, d))
            put(f"y({a}+{b})", [a, b], s.y)
            put(f"eta({a}+{b})", [a, b], s.eta)
            plus, minus = (lambda w: w.e + w.pz), (lambda w: w.e - w.pz)  # Collins–Soper
            cosine = (plus(u) * minus(v) - minus(u) * plus(v)) / np.maximum(s.m * np.hypot(s.m, s.pt), 1e-9)
            put(f"cos({a},{b})", [a, b], cosine)
        whole = list(self.vectors)
        for of in list(combinations(whole, 3)) + ([tuple(whole)] if len(whole) > 3 else []):
            s = sum((self.vectors[v] for v in of[1:]), self.vectors[of[0]])
            name = "+".join(of)
            put(f"pt({name})", of, s.pt)
            if not s.transverse:
                put(f"m({name})", of, s.m)
        return out


@dataclass
class Known:
    """What there is to ask of a file. Functions take the columns by name."""

    vectors: dict = field(default_factory=dict)  # name: components and mass
    more: dict = field(default_factory=dict)  # further quantities for the trees
    formulas: dict = field(default_factory=dict)  # column: its value from others
    holds: dict = field(default_factory=dict)  # what is true of an event, as a share
    watch: tuple = ()  # whose KS is printed
    windows: tuple = ()  # quantity, from, to


def pair(kind, mass, a="1", b="2", names=("mu1", "mu2")):
    """Returns two vectors of which the components are those of kind with a and b behind."""
    return {n: tuple(k + s for k in kind) + (mass,) for n, s in zip(names, (a, b))}


MUONS = pair(("pt", "eta", "phi"), MUON)
MUONS_P = pair(("px", "py", "pz"), MUON)
M = "m(mu1+mu2)"


def components(s):
    """Returns the components of a muon that follow from its pt, eta, phi."""
    return {
        f"px{s}": lambda x: x[f"pt{s}"] * np.cos(x[f"phi{s}"]),
        f"py{s}": lambda x: x[f"pt{s}"] * np.sin(x[f"phi{s}"]),
        f"pz{s}": lambda x: x[f"pt{s}"] * np.sinh(x[f"eta{s}"]),
        f"E{s}": lambda x: np.sqrt(x[f"px{s}"] ** 2 + x[f"py{s}"] ** 2 + x[f"pz{s}"] ** 2 + MUON**2),
    }


def mass_of(rows):
    return lambda x: (lambda v: sum(v[1:], v[0]).m)(list(Vectors(x, rows).vectors.values()))


def higgs():
    """Returns the derived columns of the ATLAS Higgs challenge (CERN Open Data record 328)."""
    pri = lambda x, n: x["PRI_" + n]
    p = lambda x, n: (pri(x, n + "_pt"), pri(x, n + "_eta"), pri(x, n + "_phi"))
    two, one = (lambda x: pri(x, "jet_num") >= 2), (lambda x: pri(x, "jet_num") >= 1)
    jets = lambda x, f: np.where(two(x), f(p(x, "jet_leading"), p(x, "jet_subleading")), -999.0)

    def pt_of(x, with_jets):
        parts = [p(x, "tau"), p(x, "lep"), (pri(x, "met"), 0, pri(x, "met_phi"))]
        if with_jets:
            for n, there in (("jet_leading", one(x)), ("jet_subleading", two(x))):
                a, b, c = p(x, n)
                parts.append((np.where(there, a, 0), b, c))
        return np.hypot(sum(a * np.cos(c) for a, _, c in parts), sum(a * np.sin(c) for a, _, c in parts))

    def centrality(x):
        tau, lep, met = pri(x, "tau_phi"), pri(x, "lep_phi"), pri(x, "met_phi")
        sign = np.sign(np.sin(tau - lep))
        a, b = np.sin(met - lep) * sign, np.sin(tau - met) * sign
        return (a + b) / np.hypot(a, b)

    mt = lambda x: np.sqrt(2 * pri(x, "lep_pt") * pri(x, "met") * (1 - np.cos(pri(x, "lep_phi") - pri(x, "met_phi"))))
    mass = lambda a, b: np.sqrt(np.maximum(0, 2 * a[0] * b[0] * (np.cosh(a[1] - b[1]) - np.cos(a[2] - b[2]))))
    return {
        "DER_mass_transverse_met_lep": mt,
        "DER_mass_vis": lambda x: mass(p(x, "tau"), p(x, "lep")),
        "DER_pt_h": lambda x: pt_of(x, False),
        "DER_deltaeta_jet_jet": lambda x: jets(x, lambda a, b: np.abs(a[1] - b[1])),
        "DER_prodeta_jet_jet": lambda x: jets(x, lambda a, b: a[1] * b[1]),
        "DER_deltar_tau_lep": lambda x: np.hypot(pri(x, "tau_eta") - pri(x, "lep_eta"), turn(pri(x, "tau_phi") - pri(x, "lep_phi"))),
        "DER_pt_tot": lambda x: pt_of(x, True),
        "DER_sum_pt": lambda x: pri(x, "tau_pt") + pri(x, "lep_pt") + pri(x, "jet_all_pt"),
        "DER_pt_ratio_lep_tau": lambda x: pri(x, "lep_pt") / pri(x, "tau_pt"),
        "DER_met_phi_centrality": centrality,
        "DER_lep_eta_centrality": lambda x: jets(
            x, lambda a, b: np.exp(-4 / np.where(a[1] == b[1], 1, a[1] - b[1]) ** 2 * (pri(x, "lep_eta") - (a[1] + b[1]) / 2) ** 2)
        ),
    }


def missing_as(columns, few):
    """Returns for each column the statement that it is −999 exactly where few(x) is true."""
    return {f"{c} is -999 exactly where it ought to be": lambda x, c=c: (x[c] == -999) == few(x) for c in columns}


def higgs_holds():
    n = lambda x: x["PRI_jet_num"]
    second = [f"PRI_jet_subleading_{c}" for c in ("pt", "eta", "phi")]
    second += [f"DER_{c}" for c in ("deltaeta_jet_jet", "mass_jet_jet", "prodeta_jet_jet", "lep_eta_centrality")]
    first = [f"PRI_jet_leading_{c}" for c in ("pt", "eta", "phi")]
    return (
        missing_as(second, lambda x: n(x) < 2)
        | missing_as(first, lambda x: n(x) < 1)
        | {
            "jet sum = 0 without a jet, = the leading one's pT with one": lambda x: np.abs(
                x["PRI_jet_all_pt"] - np.where(n(x) == 1, x["PRI_jet_leading_pt"], np.where(n(x) == 0, 0, x["PRI_jet_all_pt"]))
            )
            < 1e-3,
            "leading jet >= subleading": lambda x: x["PRI_jet_leading_pt"] >= x["PRI_jet_subleading_pt"],
            "jet sum >= sum of two": lambda x: (n(x) < 2) | (x["PRI_jet_all_pt"] > x["PRI_jet_leading_pt"] + x["PRI_jet_subleading_pt"] - 2e-3),
        }
    )


def kaons():
    return {f"K{i}": (f"H{i}_PX", f"H{i}_PY", f"H{i}_PZ", KAON) for i in (1, 2, 3)}


FILES = {
    "zmumu_2011a": Known(
        vectors=MUONS,
        watch=(M, "pt(mu1+mu2)", "pt1", "pt2", "y(mu1+mu2)"),
        windows=((M, 86, 96), (M, 60, 120), (M, 3.0, 3.2)),
    ),
    "cms_upsilon_window": Known(
        vectors=MUONS_P,
        formulas={"M": mass_of(MUONS_P)} | components(1) | components(2),
        holds={"opposite charges": lambda x: x["Q1"] * x["Q2"] == -1},
        watch=(M, "M", "pt(mu1+mu2)", "pt1", "pt2"),
        windows=((M, 9.0, 9.7), ("M", 9.0, 9.7), (M, 9.35, 9.55)),
    ),
    "atlas_htautau_signal": Known(
        vectors={
            "tau": ("PRI_tau_pt", "PRI_tau_eta", "PRI_tau_phi", 0),
            "lep": ("PRI_lep_pt", "PRI_lep_eta", "PRI_lep_phi", 0),
            "jet1": ("PRI_jet_leading_pt", "PRI_jet_leading_eta", "PRI_jet_leading_phi", 0),
            "jet2": ("PRI_jet_subleading_pt", "PRI_jet_subleading_eta", "PRI_jet_subleading_phi", 0),
            "met": ("PRI_met", "", "PRI_met_phi", "-"),
        },
        formulas=higgs(),
        holds=higgs_holds(),
        watch=("m(tau+lep)", "pt(tau+met)", "m(jet1+jet2)"),
    ),
    "alice_electrons": Known(
        more={
            "pT cosh eta": lambda x: x["pT"] * np.cosh(x["eta"]),
            "log p": lambda x: np.log(np.maximum(x["p"], 1e-9)),
            "clusters / findable": lambda x: x["NclusterTPC"] / np.maximum(x["NFindableTPC"], 1),
            "rows − clusters": lambda x: x["NcrossedRowsTPC"] - x["NclusterTPC"],
            "clusters − those of PID": lambda x: x["NclusterTPC"] - x["NclusterPIDTPC"],
            "dEdx ITS / TPC": lambda x: x["dEdxITS"] / np.maximum(x["dEdxTPC"], 1),
        },
        formulas={"p": lambda x: x["pT"] * np.cosh(x["eta"])},
        watch=("pT", "dEdxTPC", "dEdxITS"),
    ),
    "b2kkk_phasespace": Known(
        vectors=kaons(),
        holds={
            "the mass of the three is that of a B within 0.5 MeV": lambda x: np.abs(mass_of(kaons())(x) - 5279.3) < 0.5,
            "the charges sum up to ±1": lambda x: np.abs(x["H1_Charge"] + x["H2_Charge"] + x["H3_Charge"]) == 1,
        },
        watch=("m(K1+K2)", "m(K1+K3)", "m(K2+K3)", "pt(K1+K2+K3)"),
    ),
    "nuwro": Known(
        more={
            "energy transfer": lambda x: x["Enu_true"] - x["ELep"],
            "W": lambda x: np.sqrt(np.maximum(0, 0.93827**2 + 2 * 0.93827 * (x["Enu_true"] - x["ELep"]) - x["Q2"])),
            "inelasticity": lambda x: (x["Enu_true"] - x["ELep"]) / np.maximum(x["Enu_true"], 1e-9),
        },
        formulas={
            "Q2": lambda x: (lambda m2: 2 * x["Enu_true"] * (x["ELep"] - np.sqrt(np.maximum(x["ELep"] ** 2 - m2, 0)) * x["CosLep"]) - m2)(
                np.where(np.abs(x["PDGLep"]) == 13, MUON**2, np.where(np.abs(x["PDGLep"]) == 11, 0.000511**2, 0))
            )
        },
        watch=("Enu_true", "Q2", "ELep", "W"),
    ),
    "hzz": Known(
        vectors=pair(("Muon_Px", "Muon_Py", "Muon_Pz"), MUON, ":0", ":1")
        | pair(("Jet_Px", "Jet_Py", "Jet_Pz"), 0, ":0", ":1", ("jet1", "jet2")),
        watch=(M, "pt(mu1+mu2)", "m(jet1+jet2)"),
        windows=((M, 86, 96),),
    ),
    "rapidsim_b2kee": Known(
        vectors={n: (f"{n}_PX", f"{n}_PY", f"{n}_PZ", f"{n}_M") for n in ("K", "ep", "em")},
        watch=("m(ep+em)", "m(K+ep+em)"),
    ),
}
