"""How Playwright starts a Chromium: without what no test looks at."""

from pushlab.useragent.chromium.profile import QUIET

# Chromium heeds the last list of features alone, and Playwright's own would come first. Of that one,
# these change how a page behaves.
KEPT = ("AvoidUnnecessaryBeforeUnloadCheckSync", "HttpsUpgrades", "HttpsFirstBalancedModeAutoEnable")
KEPT += ("PaintHolding", "ThirdPartyStoragePartitioning")

SWITCHES = ["--no-sandbox", f"--disable-features={','.join([QUIET['disable-features'], *KEPT])}"]
"""Half of what a start costs goes into pages for the address bar, unless Chromium leaves them out."""
