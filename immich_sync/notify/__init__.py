"""People are told what needs them: by the log, a webhook, or whatever Apprise knows.

Its own package, in the order of its work: `announcing` watches the conditions and remembers what
was told, `message` puts it into words, `channels` knows who is to be told, `webhook` and `apprises`
deliver. `core.conditions` decides what is told and when.
"""
