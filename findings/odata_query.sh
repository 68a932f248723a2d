#!/usr/bin/env bash
# odata-query 0.10.0: OData filters as conditions of SQLAlchemy 2.1.9, and as text again.
# Guess: in contains(name,'50%') the percent sign is a plain character, as in OData; brackets that matter are written back.
# Seen: % and _ are wildcards of LIKE, so that filter also finds 500. And `a sub (b sub c)` comes back as `a sub b sub c`, which is
# another number; of mul and add the brackets come back.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python3 -m venv .
bin/python -m pip install -qq --disable-pip-version-check odata-query==0.10.0 SQLAlchemy==2.1.9
bin/python - <<'PY'
from odata_query.grammar import ODataLexer, ODataParser
from odata_query.roundtrip import AstToODataVisitor
from odata_query.sqlalchemy import apply_odata_query
from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column


def seen(what, found, recorded):
    """Print what was found. Compare texts, as Python takes 1, 1.0 and True for equal."""
    print(f"{what}: {found!r}")
    if repr(found) != repr(recorded):
        raise SystemExit(f"CHANGED. {what}: we recorded {recorded!r}")


class Base(DeclarativeBase):
    pass


class Discount(Base):
    __tablename__ = "discounts"
    name: Mapped[str] = mapped_column(primary_key=True)


engine = create_engine("sqlite://")
Base.metadata.create_all(engine)
with Session(engine) as session:
    session.add_all(Discount(name=name) for name in ("50%", "500", "a_b", "axb"))
    session.commit()
    for text, recorded in {
        "name eq '50%'": ["50%"],
        "contains(name,'50%')": ["50%", "500"],
        "startswith(name,'a_b')": ["a_b", "axb"],
    }.items():
        seen(text, sorted(session.scalars(apply_odata_query(select(Discount.name), text))), recorded)
for text, recorded in {
    "a sub (b sub c) eq 1": "a sub b sub c eq 1",
    "a div (b mul c) eq 1": "a div b mul c eq 1",
    "a mul (b add c) eq 1": "a mul (b add c) eq 1",
}.items():
    tree = ODataParser().parse(ODataLexer().tokenize(text))
    seen(f"{text}, written back", AstToODataVisitor().visit(tree), recorded)
PY
