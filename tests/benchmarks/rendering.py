"""Documents: invoices a CPU second by WeasyPrint alone on the same HTML ÷ ours with all cores, JSON and HTML included."""

from measuring import BUILD, Ratio, medians, task


def documents(runs: int, *, invoices: int) -> list[Ratio]:
    """WeasyPrint's CPU seconds ÷ ours, for the same invoices; above 1 we are the faster."""
    out = str(BUILD / "documents")
    taken = medians(
        runs,
        weasyprint=lambda: task("weasyprint_alone", count=invoices),
        ours=lambda: task("render", count=invoices, out=out),
    )
    value = taken["weasyprint"].cpu / taken["ours"].cpu
    return [
        Ratio(
            "documents_per_core",
            f"documents: WeasyPrint alone on the same HTML ÷ ours, {invoices} invoices",
            round(value, 2),
            round(taken["ours"].cpu, 2),
            round(taken["weasyprint"].cpu, 2),
            "≥ 0.9",
        )
    ]
