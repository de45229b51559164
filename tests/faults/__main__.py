"""`python -m tests.faults [USERS]` prints the effect of a six-hour outage of the provider."""

import sys

from tests.faults.service import Service

service = Service(int(sys.argv[1]) if len(sys.argv) > 1 else 1_000)
calls = service.provider.calls
service.provider.down = True
service.run(minutes=360)
print(f"users                                   {len(service.users):8,}")
print(f"calls while it was down                 {service.provider.calls - calls:8,}")
print(f"messages waiting, at most               {service.queue.longest:8,}")
print(f"users with missing data at the end    {len(service.incomplete()):8,}")
service.provider.down = False
print(f"minutes until nothing is missing        {service.minutes_until_complete(120):8,}")
print(f"missing by the days' completeness     {service.missing():8,}")
print(f"dead letters                            {len(service.queue.dead):8,}")
