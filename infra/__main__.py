"""One deployment of the service, declared: the stack `<environment>-<deployment>` names a file in environments/.

`bentoship up dev` and `pulumi up -s dev-local` both run this file.
"""

from bentoship import program

program.run()
