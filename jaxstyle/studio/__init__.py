"""The studio: a page in the browser that makes pictures with live preview, served by `jaxstyle studio`."""
