"""What other people's tools make of files that the terminal and the load generator write.

schemas ROOT    every shipped scenario and profile against its JSON Schema, and a misspelt key refused by both
hlog FILE       a histogram log by hdrhistogram: intervals, count, p50 and p99 in nanoseconds
"""

import copy
import glob
import json
import sys


def schemas(root):
    import jsonschema
    import yaml

    for schema, files, spoil in [
        ("Config/scenarios/scenarios.schema.json", "Config/scenarios/**/*.yaml", spoil_scenario),
        ("LoadTests/profiles/profile.schema.json", "LoadTests/profiles/*.yaml", spoil_profile),
    ]:
        with open(f"{root}/{schema}") as file:
            validator = jsonschema.Draft202012Validator(json.load(file))
        found = sorted(glob.glob(f"{root}/{files}", recursive=True))
        assert found, files
        for path in found:
            with open(path) as file:
                content = yaml.safe_load(file)
            faults = [error.message[:200] for error in validator.iter_errors(content)]
            print("ok" if not faults else "bad", path[len(root) + 1 :], *faults)
            spoiled = copy.deepcopy(content)
            spoil(spoiled)
            if validator.is_valid(spoiled):
                print("bad", path[len(root) + 1 :], "a misspelt key is taken")


def spoil_scenario(content):
    content["scenarios"][0]["steps"][0]["purchaze"] = {}


def spoil_profile(content):
    content["stages"][0]["sekonds"] = 1


def hlog(path):
    from hdrh.histogram import HdrHistogram
    from hdrh.log import HistogramLogReader

    whole = HdrHistogram(1, 60_000_000_000, 3)
    reader = HistogramLogReader(path, whole)
    intervals = 0
    while (interval := reader.get_next_interval_histogram()) is not None:
        whole.add(interval)
        intervals += 1
    print(
        intervals,
        whole.get_total_count(),
        int(whole.get_value_at_percentile(50)),
        int(whole.get_value_at_percentile(99)),
    )


if __name__ == "__main__":
    {"schemas": schemas, "hlog": hlog}[sys.argv[1]](sys.argv[2])
