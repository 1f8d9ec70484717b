"""ClickHouse as a library: runs the statements of a file, takes in a file of lines, prints what each question answers. SCHEMA LINES QUESTION..."""

import os, sys, unittest.mock

# Only what hands tables over to Python needs it.
sys.modules["pyarrow"] = unittest.mock.MagicMock()
sys.path.insert(0, os.environ["PEERS"] + "/chdb")
from chdb import session

schema, lines, *questions = sys.argv[1:]
database = session.Session("/srv/clickhouse")
for statement in open(schema).read().split(";\n"):
    if any(line and not line.startswith("--") for line in statement.splitlines()):
        database.query(statement)
database.query(f"insert into isonet.lines select line from file('{lines}', LineAsString)")
for question in questions:
    print(database.query(question, "TSV"), end="")
